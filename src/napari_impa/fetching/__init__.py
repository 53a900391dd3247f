"""Files from the network: parts of archives, whole files, and what is kept of them."""
