"""How large a study is: kernels, weights, operations, and the time that it takes here."""
