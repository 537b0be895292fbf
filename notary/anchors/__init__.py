"""Where checkpoints are put out of reach: S3 Object Lock, a time-stamping authority, a witness. One file each."""
