push WHEELHOUSE_LAYER "@layer@"
# Our own commands find the same site.
foreach {name value} {"@site@"} { push $name [encoding convertfrom [encoding system] $value] }
