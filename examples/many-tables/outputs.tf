# `tablecopy` and `verify` read this output (`--from-terraform`).

output "copies" {
  description = "Copies by table: `tables`, `control_function_name` and `commands` of each."
  value = {
    for name, copy in module.copy : name => {
      tables                = copy.tables
      control_function_name = copy.control_function_name
      commands              = copy.commands
    }
  }
}
