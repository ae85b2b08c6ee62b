"""Numbers that the papers print, to stand beside ours."""
