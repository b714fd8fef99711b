"""Control: looks at the journal and at AWS, and moves the run on."""
