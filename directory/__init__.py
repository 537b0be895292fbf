"""Groups and rotas that other systems keep (`access.ports.Memberships`): Slack user groups, PagerDuty schedules."""
