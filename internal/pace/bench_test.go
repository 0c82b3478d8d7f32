package pace

import (
	"net"
	"runtime"
	"testing"
	"time"
)

// BenchmarkRoundTrip is the round trip of a byte on one processor, beside a long computation.
func BenchmarkRoundTrip(b *testing.B) {
	for name, yield := range map[string]func(*Pace){
		"beside nothing":         nil,
		"beside runtime.Gosched": func(*Pace) { runtime.Gosched() },
		"beside Step":            (*Pace).Step,
	} {
		b.Run(name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			client, server := pair(b)
			go echo(server)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				if yield != nil {
					work(stop, yield)
				}
			}()
			var one [1]byte
			for b.Loop() {
				if _, err := client.Write(one[:]); err != nil {
					b.Fatal(err)
				}
				if _, err := client.Read(one[:]); err != nil {
					b.Fatal(err)
				}
			}
			close(stop)
			<-stopped
		})
	}
}

// work computes until stop is closed.
func work(stop <-chan struct{}, yield func(*Pace)) {
	var p Pace
	for {
		select {
		case <-stop:
			return
		default:
		}
		for begun := time.Now(); time.Since(begun) < 100*time.Microsecond; { // this is the work
		}
		yield(&p)
	}
}

func echo(conn net.Conn) {
	var one [1]byte
	for {
		if _, err := conn.Read(one[:]); err != nil {
			return
		}
		if _, err := conn.Write(one[:]); err != nil {
			return
		}
	}
}

func pair(b *testing.B) (client, server net.Conn) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	if server, err = listener.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close() })
	return client, server
}
