"""What runs on the device: these files are copied into every exported folder, and limbeck itself predicts with them."""
