package main

import (
	"sync"
	"time"
)

// polled is one call of a kubelet's routine.
type polled struct {
	Method  string
	Request string
	// Every is its interval in seconds.
	Every float64
}

// poll calls each method of the schedule in its own interval, from the start on, for wanted.Seconds.
func (c *client) poll(wanted order) (interface{}, error) {
	connection, err := c.connection(wanted.Target)
	if err != nil {
		return nil, err
	}
	var (
		pollers sync.WaitGroup
		mutex   sync.Mutex
		result  taken
	)
	started := time.Now()
	end := started.Add(time.Duration(wanted.Seconds * float64(time.Second)))
	for _, routine := range wanted.Schedule {
		request, err := c.request(routine.Request)
		if err != nil {
			return nil, err
		}
		pollers.Add(1)
		go func(routine polled) {
			defer pollers.Done()
			interval := time.Duration(routine.Every * float64(time.Second))
			for due := started; due.Before(end); due = due.Add(interval) {
				time.Sleep(time.Until(due))
				err := unary(connection, routine.Method, request)
				mutex.Lock()
				result.Calls++
				if err != nil {
					result.Failed++
					result.FirstError = err.Error()
				}
				mutex.Unlock()
			}
		}(routine)
	}
	pollers.Wait()
	time.Sleep(time.Until(end))
	result.Seconds = time.Since(started).Seconds()
	return result, nil
}
