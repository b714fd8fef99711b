# The run at a glance: alarms, phase and lag on top, then what moves, then what goes wrong.

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.names.dashboard
  dashboard_body = jsonencode(local.body)
}
