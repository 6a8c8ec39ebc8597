package award

type catalogue struct{}

func loadWords() (catalogue, error) { return catalogue{}, nil }
