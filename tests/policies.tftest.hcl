# Who may do what: every statement with its exact actions and resources. A statement more, or a wider one, fails here.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "offline"
  secret_key                  = "offline"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  function = {
    location           = { partition = "aws", account_id = "111111111111", region = "eu-central-1" }
    table_key_arns     = []
    role               = { path = "/copies/", permissions_boundary_arn = "arn:aws:iam::111111111111:policy/boundary" }
    architecture       = "arm64"
    log_retention_days = 30
  }
  names = {
    replicator    = "tablecopy-orders-0123abcd"
    failure_queue = "failures"
    backfill      = "tablecopy-orders-0123abcd"
    state_machine = "machine"
    control       = "tablecopy-orders-0123abcd"
    reconciler    = "tablecopy-orders-0123abcd-reconciler"
    schedule      = "schedule"
  }
  role                 = { path = "/copies/", permissions_boundary_arn = "arn:aws:iam::111111111111:policy/boundary" }
  journal              = { name = "journal", arn = "arn:aws:dynamodb:eu-central-1:111111111111:table/journal", generation = "a-journal" }
  journal_arn          = "arn:aws:dynamodb:eu-central-1:111111111111:table/journal"
  source_table_arn     = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"
  stream_arn           = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-01-01T00:00:00.000"
  destination_role_arn = "arn:aws:iam::222222222222:role/destination"

  destination_table_arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
  environment           = { SOURCE_TABLE = "orders" }
  settings              = { batch_size = 1000, batching_window_seconds = 1, timeout_seconds = 60, memory_mb = 512 }
}

override_data {
  target = module.function.data.aws_cloudwatch_log_groups.here
  values = { log_group_names = [] }
}

override_data {
  target = module.control.data.aws_cloudwatch_log_groups.here
  values = { log_group_names = [] }
}

override_data {
  target = module.reconciler.data.aws_cloudwatch_log_groups.here
  values = { log_group_names = [] }
}

override_data {
  target = data.aws_cloudwatch_log_groups.here
  values = { log_group_names = [] }
}

run "replicator" {
  command = plan

  module {
    source = "./modules/replicator"
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      ReadTheStream                  = { actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-01-01T00:00:00.000"] }
      FindTheStream                  = { actions = ["dynamodb:ListStreams"], resources = ["*"] }
      KeepLeasesMarksAndLetters      = { actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/journal"] }
      WriteThroughTheDestinationRole = { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::222222222222:role/destination"] }
      ReportFailedBatches            = { actions = ["sqs:SendMessage"], resources = ["arn:aws:sqs:eu-central-1:111111111111:failures"] }
    })
    error_message = "The replicator may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.this.starting_position == "TRIM_HORIZON"
      && !aws_lambda_event_source_mapping.this.enabled
      && aws_lambda_event_source_mapping.this.maximum_retry_attempts == -1
      && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == -1
      && aws_lambda_event_source_mapping.this.parallelization_factor == 1
      && aws_lambda_event_source_mapping.this.bisect_batch_on_function_error != true
      && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    )
    error_message = "A mapping with other settings loses changes, or applies them before the run says so."
  }

  assert {
    condition     = aws_sqs_queue.failures.message_retention_seconds == 1209600 && aws_sqs_queue.failures.sqs_managed_sse_enabled
    error_message = "The failure queue must keep its messages for 14 days, encrypted."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.failures.policy).Statement == [
      {
        Sid       = "RefuseUnencryptedTransport"
        Effect    = "Deny"
        Action    = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        Resource  = "arn:aws:sqs:eu-central-1:111111111111:failures"
        Principal = { AWS = "*" }
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "OnlyTheReplicatorReports"
        Effect    = "Deny"
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:eu-central-1:111111111111:failures"
        Principal = { AWS = "*" }
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = "arn:aws:iam::111111111111:role/copies/tablecopy-orders-0123abcd" } }
      },
    ]
    error_message = "Only the replicator may send to the queue, and only encrypted: ${aws_sqs_queue.failures.policy}"
  }
}

run "replicator_with_a_key" {
  command = plan

  module {
    source = "./modules/replicator"
  }

  variables {
    function = merge(var.function, { kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/2" })
    settings = merge(var.settings, { reserved_concurrency = 3 })
  }

  assert {
    condition = one([for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement if statement.Sid == "EncryptFailedBatches"]) == {
      Sid       = "EncryptFailedBatches"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource  = "arn:aws:kms:eu-central-1:111111111111:key/2"
      Condition = { StringEquals = { "kms:ViaService" = "sqs.eu-central-1.amazonaws.com" } }
    }
    error_message = "The replicator may use the key through SQS, and in no other way: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition     = length(jsondecode(data.aws_iam_policy_document.this.json).Statement) == 6
    error_message = "The replicator may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition     = aws_sqs_queue.failures.kms_master_key_id == "arn:aws:kms:eu-central-1:111111111111:key/2"
    error_message = "The failure queue must be encrypted with the key."
  }
}

run "key_of_another_region" {
  command = plan

  module {
    source = "./modules/replicator"
  }

  variables {
    function = merge(var.function, { kms_key_arn = "arn:aws:kms:eu-west-1:111111111111:key/2" })
  }

  expect_failures = [aws_sqs_queue.failures]
}

run "backfill" {
  command = plan

  module {
    source = "./modules/backfill"
  }

  variables {
    settings = { concurrency = 8, slice_seconds = 3600, timeout_seconds = 300, memory_mb = 512 }
  }

  # The provider asks AWS at plan whether the definition is valid. state_machine.tftest.hcl has its assertions.
  override_module {
    target  = module.state_machine
    outputs = { arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine", executions = "arn:aws:states:eu-central-1:111111111111:execution:machine" }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      ScanTheSource                   = { actions = ["dynamodb:Scan"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders"] }
      ReadDeadLettersAgain            = { actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders"] }
      KeepLeasesCheckpointsAndLetters = { actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/journal"] }
      WriteThroughTheDestinationRole  = { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::222222222222:role/destination"] }
    })
    error_message = "The backfill worker may do something else: ${data.aws_iam_policy_document.this.json}"
  }
}

run "machine" {
  command = plan

  module {
    source = "./modules/machine"
  }

  variables {
    name         = "machine"
    description  = "Runs the slices of the backfill."
    function_arn = "arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd"
    invoked_arn  = "arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd"
    definition   = jsonencode({ StartAt = "End", States = { End = { Type = "Succeed" } } })
  }

  # The provider asks AWS at plan whether the definition is valid.
  override_resource {
    target          = aws_sfn_state_machine.this
    override_during = plan
    values          = { arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine" }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      InvokeTheWorker       = { actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd"] }
      StartTheMapsChildren  = { actions = ["states:StartExecution"], resources = ["arn:aws:states:eu-central-1:111111111111:stateMachine:machine"] }
      FollowTheMapsChildren = { actions = ["states:DescribeExecution", "states:StopExecution"], resources = ["arn:aws:states:eu-central-1:111111111111:execution:machine/*", "arn:aws:states:eu-central-1:111111111111:execution:machine:*"] }
    })
    error_message = "The state machine may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition = one(jsondecode(aws_iam_role.this.assume_role_policy).Statement) == {
      Sid       = "StepFunctionsRunsTheMachine"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "states.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = "111111111111" }
        ArnLike      = { "aws:SourceArn" = ["arn:aws:states:eu-central-1:111111111111:stateMachine:machine", "arn:aws:states:eu-central-1:111111111111:stateMachine:machine/*"] }
      }
    }
    error_message = "Step Functions takes the role for this machine only: ${aws_iam_role.this.assume_role_policy}"
  }

  assert {
    condition     = aws_iam_role.this.path == "/copies/" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::111111111111:policy/boundary"
    error_message = "The state machine's role must have the path and the boundary asked for."
  }
}

run "verification" {
  command = plan

  module {
    source = "./modules/verification"
  }

  variables {
    settings             = { concurrency = 8, timeout_seconds = 900, memory_mb = 1769 }
    names                = { verifier = "tablecopy-orders-0123abcd-verifier", verification = "machine" }
    destination_role_arn = "arn:aws:iam::222222222222:role/reader"
  }

  override_module {
    target  = module.state_machine
    outputs = { arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine", executions = "arn:aws:states:eu-central-1:111111111111:execution:machine" }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      ReadTheSource                 = { actions = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:Scan"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders"] }
      KeepProgressAndDifferences    = { actions = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/journal"] }
      ReadThroughTheDestinationRole = { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::222222222222:role/reader"] }
    })
    error_message = "The verifier may do something else: ${data.aws_iam_policy_document.this.json}"
  }
}

run "tracker" {
  command = plan

  module {
    source = "./modules/tracker"
  }

  variables {
    settings             = { memory_mb = 1769 }
    names                = { tracker = "tablecopy-orders-0123abcd-tracker", tracking = "tablecopy-orders-0123abcd-tracking" }
    destination_role_arn = "arn:aws:iam::222222222222:role/reader"
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      RecheckTheSource                = { actions = ["dynamodb:BatchGetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders"] }
      KeepTouchedKeys                 = { actions = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/journal"] }
      FollowThroughTheDestinationRole = { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::222222222222:role/reader"] }
    })
    error_message = "The tracker may do something else: ${data.aws_iam_policy_document.this.json}"
  }
}

run "control" {
  command = plan

  module {
    source = "./modules/control"
  }

  variables {
    settings = { start_on_apply = true, segments = 16, concurrency = 8, slice_seconds = 3600, drained_after_seconds = 60, record_age_fraction = 0.25, allow_items = false, memory_mb = 256, unreserved_concurrency = 18, prices = { currency = "EUR", read_per_million = 0.15, write_per_million = 0.75 } }
    replicator = {
      event_source_mapping = { uuid = "00000000-0000-0000-0000-000000000000", arn = "arn:aws:lambda:eu-central-1:111111111111:event-source-mapping:00000000-0000-0000-0000-000000000000" }
      failure_queue        = { url = "https://sqs.eu-central-1.amazonaws.com/111111111111/failures", arn = "arn:aws:sqs:eu-central-1:111111111111:failures" }
    }
    backfill = { state_machine = { arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine", executions = "arn:aws:states:eu-central-1:111111111111:execution:machine" } }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.reconciler.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      KeepTheRun                        = { actions = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/journal"] }
      CheckTheSource                    = { actions = ["dynamodb:DescribeTable"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders"] }
      SeeWhatIsUnapplied                = { actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-01-01T00:00:00.000"] }
      ReadManyShardsInParts             = { actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-reconciler"] }
      PauseAndResumeTheReplicator       = { actions = ["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"], resources = ["arn:aws:lambda:eu-central-1:111111111111:event-source-mapping:00000000-0000-0000-0000-000000000000"] }
      FindOtherReadersOfTheStream       = { actions = ["lambda:ListEventSourceMappings"], resources = ["*"] }
      SeeHowManyWorkersTheAccountAllows = { actions = ["lambda:GetAccountSettings"], resources = ["*"] }
      StartASlice                       = { actions = ["states:StartExecution"], resources = ["arn:aws:states:eu-central-1:111111111111:stateMachine:machine"] }
      FollowASlice                      = { actions = ["states:DescribeExecution"], resources = ["arn:aws:states:eu-central-1:111111111111:execution:machine:*"] }
      CountFailedBatches                = { actions = ["sqs:GetQueueAttributes"], resources = ["arn:aws:sqs:eu-central-1:111111111111:failures"] }
      LookThroughTheDestinationRole     = { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::222222222222:role/destination"] }
    })
    error_message = "The reconciler may do something else: ${data.aws_iam_policy_document.reconciler.json}"
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.control.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      AnswerFromTheJournal = { actions = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111111111111:table/journal"] }
      CallTheReconciler    = { actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-reconciler"] }
    })
    error_message = "Control may do something else: ${data.aws_iam_policy_document.control.json}"
  }

  assert {
    condition = (
      aws_lambda_function_event_invoke_config.reconciler.maximum_retry_attempts == 0
      && aws_lambda_function_event_invoke_config.reconciler.maximum_event_age_in_seconds == 60
    )
    error_message = "Lambda must not repeat a pass that failed, nor keep one that was throttled."
  }
}

run "control_with_verification" {
  command = plan

  module {
    source = "./modules/control"
  }

  variables {
    verification = {
      tracker       = { name = "tracker", arn = "arn:aws:lambda:eu-central-1:111111111111:function:tracker" }
      state_machine = { arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:verification", executions = "arn:aws:states:eu-central-1:111111111111:execution:verification" }
      segments      = 32
      concurrency   = 16
    }
    settings = { start_on_apply = true, segments = 16, concurrency = 8, slice_seconds = 3600, drained_after_seconds = 60, record_age_fraction = 0.25, allow_items = false, memory_mb = 256, unreserved_concurrency = 18, prices = { currency = "EUR", read_per_million = 0.15, write_per_million = 0.75 } }
    replicator = {
      event_source_mapping = { uuid = "00000000-0000-0000-0000-000000000000", arn = "arn:aws:lambda:eu-central-1:111111111111:event-source-mapping:00000000-0000-0000-0000-000000000000" }
      failure_queue        = { url = "https://sqs.eu-central-1.amazonaws.com/111111111111/failures", arn = "arn:aws:sqs:eu-central-1:111111111111:failures" }
    }
    backfill = { state_machine = { arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine", executions = "arn:aws:states:eu-central-1:111111111111:execution:machine" } }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.control.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if contains(["CallTheReconciler", "StartAVerification", "FollowAVerification"], statement.Sid)
      }) == jsonencode({
      CallTheReconciler   = { actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-reconciler", "arn:aws:lambda:eu-central-1:111111111111:function:tracker"] }
      StartAVerification  = { actions = ["states:StartExecution"], resources = ["arn:aws:states:eu-central-1:111111111111:stateMachine:verification"] }
      FollowAVerification = { actions = ["states:DescribeExecution"], resources = ["arn:aws:states:eu-central-1:111111111111:execution:verification:*"] }
    })
    error_message = "Control starts and follows verifications, and nothing else: ${data.aws_iam_policy_document.control.json}"
  }

  assert {
    condition     = length(jsondecode(data.aws_iam_policy_document.control.json).Statement) == 4 && !strcontains(data.aws_iam_policy_document.reconciler.json, "verification")
    error_message = "Nobody but control starts a verification."
  }
}

run "schedule" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    name         = "schedule"
    description  = "Calls the reconciler every minute."
    function_arn = "arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-reconciler"
    invoked_arn  = "arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-reconciler"
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      InvokeTheFunction = { actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-reconciler"] }
    })
    error_message = "The schedule may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition = one(jsondecode(aws_iam_role.this.assume_role_policy).Statement) == {
      Sid       = "SchedulerCallsTheFunction"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = "111111111111" }
        ArnEquals    = { "aws:SourceArn" = "arn:aws:scheduler:eu-central-1:111111111111:schedule-group/default" }
      }
    }
    error_message = "Scheduler takes the role for schedules of this group only: ${aws_iam_role.this.assume_role_policy}"
  }

  assert {
    condition = (
      aws_scheduler_schedule.this.group_name == "default"
      && aws_iam_role.this.path == "/copies/"
      && aws_iam_role.this.permissions_boundary == "arn:aws:iam::111111111111:policy/boundary"
    )
    error_message = "The schedule must be in the group its role trusts, and the role have the path and the boundary asked for."
  }

  assert {
    condition = (
      aws_scheduler_schedule.this.schedule_expression == "rate(1 minute)"
      && aws_scheduler_schedule.this.flexible_time_window[0].mode == "OFF"
    )
    error_message = "The function must be called every minute."
  }
}

run "function" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    function = merge(var.function, {
      name            = "tablecopy-orders-0123abcd-control"
      description     = "A function."
      handler         = "tablecopy.handlers.control.handle"
      timeout_seconds = 120
      memory_mb       = 256
    })
    policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      WriteOwnLog = { actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["arn:aws:logs:eu-central-1:111111111111:log-group:/aws/lambda/tablecopy-orders-0123abcd-control:*"] }
    })
    error_message = "Every function may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition = one(jsondecode(aws_iam_role.this.assume_role_policy).Statement) == {
      Sid       = "LambdaRunsTheFunction"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }
    error_message = "Only Lambda may assume the role, without a condition that it may not meet: ${aws_iam_role.this.assume_role_policy}"
  }

  assert {
    condition     = aws_iam_role.this.path == "/copies/" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::111111111111:policy/boundary"
    error_message = "The function's role must have the path and the boundary asked for."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1 && length(aws_lambda_function.this.vpc_config) == 0 && aws_lambda_function.this.kms_key_arn == null && aws_cloudwatch_log_group.this.kms_key_id == null
    error_message = "What is not asked for must be left to AWS."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("lambda/dist/tablecopy.zip") && aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "The function must run the committed package."
  }
}

run "function_with_everything" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    function = merge(var.function, {
      name                 = "tablecopy-orders-0123abcd-control"
      description          = "A function."
      handler              = "tablecopy.handlers.control.handle"
      timeout_seconds      = 120
      memory_mb            = 256
      reserved_concurrency = 2
      table_key_arns       = ["arn:aws:kms:eu-central-1:111111111111:key/1"]
      kms_key_arn          = "arn:aws:kms:eu-central-1:111111111111:key/2"
      vpc                  = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    })
    policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        effect     = statement.Effect
        actions    = sort(flatten([statement.Action]))
        resources  = sort(flatten([statement.Resource]))
        conditions = try(statement.Condition, {})
      }
      }) == jsonencode({
      WriteOwnLog                    = { effect = "Allow", actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["arn:aws:logs:eu-central-1:111111111111:log-group:/aws/lambda/tablecopy-orders-0123abcd-control:*"], conditions = {} }
      OpenTablesUnderTheSourceKey    = { effect = "Allow", actions = ["kms:Decrypt"], resources = ["arn:aws:kms:eu-central-1:111111111111:key/1"], conditions = { StringEquals = { "kms:ViaService" = "dynamodb.eu-central-1.amazonaws.com" } } }
      LambdaMakesNetworkInterfaces   = { effect = "Allow", actions = ["ec2:CreateNetworkInterface"], resources = ["arn:aws:ec2:eu-central-1:*:security-group/sg-1", "arn:aws:ec2:eu-central-1:*:subnet/subnet-1", "arn:aws:ec2:eu-central-1:111111111111:network-interface/*"], conditions = {} }
      LambdaRemovesNetworkInterfaces = { effect = "Allow", actions = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"], resources = ["arn:aws:ec2:eu-central-1:111111111111:*/*"], conditions = {} }
      LambdaFindsNetworkInterfaces   = { effect = "Allow", actions = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"], resources = ["*"], conditions = {} }
      TheCodeItselfMustNot           = { effect = "Deny", actions = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"], resources = ["*"], conditions = { ArnEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:eu-central-1:111111111111:function:tablecopy-orders-0123abcd-control" } } }
    })
    error_message = "Every function may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition = (
      aws_lambda_function.this.reserved_concurrent_executions == 2
      && aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1"])
      && aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
      && aws_lambda_function.this.kms_key_arn == "arn:aws:kms:eu-central-1:111111111111:key/2"
      && aws_cloudwatch_log_group.this.kms_key_id == "arn:aws:kms:eu-central-1:111111111111:key/2"
    )
    error_message = "The function must have the network, the key and the executions asked for."
  }
}

run "destination" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    enabled           = true
    copy              = "a-copy"
    location          = { partition = "aws", account_id = "222222222222", region = "eu-west-1" }
    table_name        = "orders"
    create            = false
    role              = merge(var.role, { name = "destination", external_id = "an-external-id", trusted_account_id = "111111111111" })
    trusted_role_arns = ["arn:aws:iam::111111111111:role/replicator", "arn:aws:iam::111111111111:role/backfill", "arn:aws:iam::111111111111:role/control"]
    definition        = { hash_key = "id", attributes = { id = "S" } }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders"] }
  }

  override_data {
    target = data.aws_dynamodb_table.existing
    values = { arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders", hash_key = "id", range_key = "", attribute = [{ name = "id", type = "S" }] }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this[0].json).Statement : statement.Sid => {
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
      } if statement.Effect == "Allow"
      }) == jsonencode({
      WriteItems                = { actions = ["dynamodb:BatchWriteItem"], resources = ["arn:aws:dynamodb:eu-west-1:222222222222:table/orders"] }
      CheckTheTable             = { actions = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"], resources = ["arn:aws:dynamodb:eu-west-1:222222222222:table/orders"] }
      SeeWhetherTheTableIsEmpty = { actions = ["dynamodb:Scan"], resources = ["arn:aws:dynamodb:eu-west-1:222222222222:table/orders"] }
    })
    error_message = "The destination role may do something else: ${data.aws_iam_policy_document.this[0].json}"
  }

  assert {
    condition     = one([for statement in jsondecode(data.aws_iam_policy_document.this[0].json).Statement : statement.Condition if statement.Sid == "SeeWhetherTheTableIsEmpty"]) == { StringEquals = { "dynamodb:Select" = "COUNT" } }
    error_message = "The destination role counts items and cannot read one."
  }

  assert {
    condition = one(jsondecode(data.aws_iam_policy_document.trust[0].json).Statement) == {
      Sid    = "TheFunctionsOfThisCopy"
      Effect = "Allow"
      Action = "sts:AssumeRole"
      Principal = { AWS = [
        "arn:aws:iam::111111111111:role/replicator",
        "arn:aws:iam::111111111111:role/control",
        "arn:aws:iam::111111111111:role/backfill",
      ] }
      Condition = { StringEquals = { "sts:ExternalId" = "an-external-id", "aws:PrincipalAccount" = "111111111111" } }
    }
    error_message = "Exactly the three functions are trusted, and only with the external id: ${data.aws_iam_policy_document.trust[0].json}"
  }

  assert {
    condition     = aws_iam_role.this[0].path == "/copies/" && aws_iam_role.this[0].permissions_boundary == "arn:aws:iam::111111111111:policy/boundary"
    error_message = "The destination role must have the path and the boundary asked for."
  }

  assert {
    condition     = length(module.reader) == 0 && output.reading_role_arn == null
    error_message = "Without a verification nothing reads the destination's items."
  }
}

run "reading_role" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    enabled           = true
    copy              = "a-copy"
    location          = { partition = "aws", account_id = "222222222222", region = "eu-central-1" }
    table_name        = "orders"
    create            = true
    role              = merge(var.role, { name = "destination", external_id = "an-external-id", trusted_account_id = "111111111111" })
    trusted_role_arns = ["arn:aws:iam::111111111111:role/replicator"]
    definition = {
      hash_key   = "id"
      attributes = { id = "S" }
      encryption = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-central-1:222222222222:key/own" }
    }
    reader = { name = "reader", trusted_role_arns = ["arn:aws:iam::111111111111:role/verifier"] }
    tags   = { Copied = "yes" }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = [] }
  }

  assert {
    condition     = length(module.reader) == 1
    error_message = "There must be a role that reads."
  }

  # Which the role gets.
  assert {
    condition = one(jsondecode(data.aws_iam_policy_document.key[0].json).Statement) == {
      Sid       = "OpenTheTableUnderItsKey"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = "arn:aws:kms:eu-central-1:222222222222:key/own"
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.eu-central-1.amazonaws.com" } }
    }
    error_message = "The key is opened for this table only: ${data.aws_iam_policy_document.key[0].json}"
  }
}

run "reader" {
  command = plan

  module {
    source = "./modules/reader"
  }

  variables {
    name              = "reader"
    role              = merge(var.role, { external_id = "an-external-id", trusted_account_id = "111111111111" })
    trusted_role_arns = ["arn:aws:iam::111111111111:role/verifier"]
    follows_stream    = false
    table_name        = "orders"
    table_arn         = "arn:aws:dynamodb:eu-central-1:222222222222:table/orders"
    key_policy_json = jsonencode({ Version = "2012-10-17", Statement = [{
      Sid       = "OpenTheTableUnderItsKey"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = "arn:aws:kms:eu-central-1:222222222222:key/own"
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.eu-central-1.amazonaws.com" } }
    }] })
    tags = { Copied = "yes" }
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement : statement.Sid => {
        effect    = statement.Effect
        actions   = sort(flatten([statement.Action]))
        resources = sort(flatten([statement.Resource]))
        condition = try(statement.Condition, null)
      }
      }) == jsonencode({
      ReadItems = {
        effect    = "Allow"
        actions   = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:Scan"]
        resources = ["arn:aws:dynamodb:eu-central-1:222222222222:table/orders"]
        condition = null
      }
      OpenTheTableUnderItsKey = {
        effect    = "Allow"
        actions   = ["kms:Decrypt"]
        resources = ["arn:aws:kms:eu-central-1:222222222222:key/own"]
        condition = { StringEquals = { "kms:ViaService" = "dynamodb.eu-central-1.amazonaws.com" } }
      }
    })
    error_message = "The reading role may do something else: ${data.aws_iam_policy_document.this.json}"
  }

  assert {
    condition = one(jsondecode(data.aws_iam_policy_document.trust.json).Statement) == {
      Sid       = "TheReadersOfThisCopy"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::111111111111:role/verifier" }
      Condition = { StringEquals = { "sts:ExternalId" = "an-external-id", "aws:PrincipalAccount" = "111111111111" } }
    }
    error_message = "Only the verifier is trusted, and only with the external id: ${data.aws_iam_policy_document.trust.json}"
  }

  assert {
    condition = (
      aws_iam_role.this.name == "reader" && aws_iam_role.this.path == "/copies/"
      && aws_iam_role.this.permissions_boundary == "arn:aws:iam::111111111111:policy/boundary"
      && aws_iam_role.this.tags == tomap({ Copied = "yes" })
    )
    error_message = "The reading role must have the path, the boundary and the tags asked for."
  }
}
