package main

import "fmt"

// raw passes messages as the bytes they are; both of its ends hold a *[]byte. It calls itself proto, so that the
// content-type on the wire is the kubelet's.
type raw struct{}

func (raw) Marshal(message interface{}) ([]byte, error) {
	bytes, ok := message.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("not bytes: %T", message)
	}
	return *bytes, nil
}

func (raw) Unmarshal(data []byte, message interface{}) error {
	bytes, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("not bytes: %T", message)
	}
	*bytes = data
	return nil
}

func (raw) Name() string { return "proto" }

func (raw) String() string { return "proto" }
