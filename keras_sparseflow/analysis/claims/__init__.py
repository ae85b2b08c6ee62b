"""Claims of the papers, each judged by the numbers of a study; a folder for each paper."""
