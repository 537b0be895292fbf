"""What a judgment rests on, fetched just before it: who somebody is, in which groups, with which ticket."""
