"""The command line: its options, the run that they describe, signals and priority of the process."""
