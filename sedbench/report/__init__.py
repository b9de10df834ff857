"""What people see: the table of a run."""
