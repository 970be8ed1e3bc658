pushenv("PIP_CONFIG_FILE", chosen)
