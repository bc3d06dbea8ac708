module attractivenet

go 1.19
