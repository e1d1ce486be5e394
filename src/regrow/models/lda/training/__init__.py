"""What training needs besides its program and its inner loops: what travels, priors, mergers, the likelihood."""
