"""What every kernel of the CPU backend stands on: compiling, the kernel cache, threads and memory.

compile             decorators that make kernels of functions, and how a kernel is launched on all threads
cache               compiled kernels on disk
threads             the thread pool: its lock, the number of threads, when a second one pays
memory              aligned arrays, and the C library's settings
numba_internals     the only file that imports Numba and llvmlite
"""
