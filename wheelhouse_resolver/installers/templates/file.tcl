push PIP_CONFIG_FILE $chosen
