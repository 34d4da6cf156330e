"""The command line: arguments in, one call of a floor below, exit code out. One thin file a verb."""
