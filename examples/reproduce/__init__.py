"""The whole report again: its models over several seeds, ensembles, a support vector machine, every figure.

options      the command line
variants     the networks of the sensitivity table
jobs         what is trained, in which order, and how much work it is
training     one network, resumable after every epoch
svm          the support vector machines
progress     what is done, and the time left for the whole
"""
