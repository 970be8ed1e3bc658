pushenv("WHEELHOUSE_LAYER", "@layer@")
-- Our own commands find the same site.
for _, each in ipairs({ "@site@" }) do pushenv(each[1], each[2]) end
