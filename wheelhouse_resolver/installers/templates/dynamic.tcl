source-sh bash "@command@"
