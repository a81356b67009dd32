"""How good a converted model is: mAP, agreement with its source, acceptance."""
