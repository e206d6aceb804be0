"""Compiles the GPU backend's kernels for real architectures, without a GPU: python -m tests.nvrtc.

sources.py says which; compiler.py calls NVRTC, NVIDIA's compiler; report.py reads what it says of each kernel.
"""
