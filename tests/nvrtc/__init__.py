"""Compiles the GPU backend's kernels for real architectures, without a GPU: python -m tests.nvrtc.

sources.py lists them; compiler.py calls NVRTC, NVIDIA's compiler; report.py reads its log about each kernel.
"""
