"""The executor that compiles: a program's steps become machine code through LLVM. Needs llvmlite and SciPy."""
