"""What a watched call means for the record: the place where cri, proc, spool and recorder meet."""
