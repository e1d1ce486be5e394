"""What survives: containers (one artifact = one safetensors file) and the directory of a run."""
