"""Control: reads the journal and AWS, and moves the run from phase to phase."""
