"""It still trains: the accuracy of a network with a wrong backward, for many mistakes, beside the doctor's verdict."""
