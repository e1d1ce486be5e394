"""The only door from the shell: it reads arguments and the environment, and shows what comes out."""
