# The dashboard shows the alarms where there are any, and what is too old.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "offline"
  secret_key                  = "offline"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  names = {
    copy          = "move-orders-0123abcd"
    dashboard     = "move-orders-0123abcd-dashboard"
    failure_queue = "failures"
    state_machine = "machine"
    replicator    = "r"
    backfill      = "b"
    reconciler    = "k"
    control       = "c"
    verifier      = "v"
    tracker       = "t"
  }
  source_table                 = { table_name = "orders", account_id = "111111111111", region = "eu-central-1", partition = "aws" }
  destination_table            = { table_name = "orders-new", account_id = "222222222222", region = "eu-west-1" }
  status_command               = "tablecopy status --control-function c"
  unapplied_change_age_seconds = 21600
}

run "with_alarms" {
  command = plan

  module {
    source = "./modules/dashboard"
  }

  variables {
    alarm_arns = ["arn:aws:cloudwatch:eu-central-1:111111111111:alarm:move-orders-0123abcd-run-stopped"]
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "move-orders-0123abcd-dashboard" && output.name == "move-orders-0123abcd-dashboard"
    error_message = "The dashboard has another name."
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.alarms if widget.type == "alarm"
    ] == [["arn:aws:cloudwatch:eu-central-1:111111111111:alarm:move-orders-0123abcd-run-stopped"]]
    error_message = "The alarms' states are not shown."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.region == "eu-central-1" if widget.type == "metric"
    ])
    error_message = "A graph looks into another region than that of the functions."
  }

  assert {
    condition = flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      [for line in try(widget.properties.annotations.horizontal, []) : line.value] if widget.type == "metric"
    ]) == [21600, 86400]
    error_message = "The lag's limits are not shown."
  }

  # Rows are filled, or CloudWatch would push the next graph down.
  assert {
    condition     = sum([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.width]) % 24 == 0
    error_message = "A row of the grid of 24 columns is not filled."
  }
}

run "with_verification" {
  command = plan

  module {
    source = "./modules/dashboard"
  }

  variables {
    verification = true
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"DifferencesFound\"") && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"FunctionName\",\"v\"")
    error_message = "The verification and its function are not shown."
  }

  assert {
    condition     = sum([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.width]) % 24 == 0
    error_message = "A row of the grid of 24 columns is not filled."
  }
}

run "without_alarms" {
  command = plan

  module {
    source = "./modules/dashboard"
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Verification") && !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"v\"")
    error_message = "A verification is shown although there is none."
  }

  assert {
    condition     = length([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget if widget.type == "alarm"]) == 0
    error_message = "A widget without alarms is refused by CloudWatch."
  }
}
