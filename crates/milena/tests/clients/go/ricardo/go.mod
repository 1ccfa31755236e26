module milena.test/ricardo

go 1.21
