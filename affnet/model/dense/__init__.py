"""Networks for dense tasks, with AFFNet as their encoder: segmentation and detection."""
