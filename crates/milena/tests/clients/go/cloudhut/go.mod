module milena.test/cloudhut

go 1.21
