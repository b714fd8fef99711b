# How a state machine invokes a function again, by error.

output "capacity" {
  description = "Lambda has no capacity for another invocation at present. With full jitter the mean delay is half of the longest one."
  value = {
    ErrorEquals = [
      "Lambda.TooManyRequestsException",
      "Lambda.EC2ThrottledException",
      "Lambda.ENILimitReachedException",
      "Lambda.ENINotReadyException",
      "Lambda.SubnetIPAddressLimitReachedException",
      "Lambda.ResourceNotReadyException",
    ]
    IntervalSeconds = 1
    BackoffRate     = 2
    MaxAttempts     = 260
    MaxDelaySeconds = 30
    JitterStrategy  = "FULL"
  }
}

output "service" {
  description = "Lambda itself failed. The last error also stands for a missing permission, which waiting does not fix."
  value = {
    ErrorEquals = [
      "Lambda.ClientExecutionTimeoutException",
      "Lambda.ServiceException",
      "Lambda.SdkClientException",
      "Lambda.AWSLambdaException",
    ]
    IntervalSeconds = 1
    BackoffRate     = 2
    MaxAttempts     = 8
    MaxDelaySeconds = 60
    JitterStrategy  = "FULL"
  }
}

output "failed" {
  description = "The function failed, ran out of memory (Lambda.Unknown) or timed out (Sandbox.Timedout). States.TaskFailed matches every error except States.Timeout. The journal has the progress, so a retry is safe."
  value = {
    ErrorEquals     = ["States.TaskFailed", "States.Timeout"]
    IntervalSeconds = 2
    BackoffRate     = 2
    MaxAttempts     = 4
    MaxDelaySeconds = 60
    JitterStrategy  = "FULL"
  }
}
