output "commands" {
  description = "Commands ready to paste, by table."
  value       = { for name, copy in module.copy : name => copy.commands }
}
