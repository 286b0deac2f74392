"""One explorer for each picture: controls in, the picture and a readout in words out."""
