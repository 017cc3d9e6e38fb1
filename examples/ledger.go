// Lists failed messages, checks that the log is unchanged, and follows it.
//
//	LEDGER_TOKEN=… go run examples/ledger.go [POSITION:HASH]
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

// Sends a GET request, or a POST request if there is a body.
func ask(path, body string) (io.ReadCloser, error) {
	ledger, method := os.Getenv("LEDGER"), "GET"
	if ledger == "" {
		ledger = "http://127.0.0.1:8081"
	}
	if body != "" {
		method = "POST"
	}
	request, err := http.NewRequest(method, ledger+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if token := os.Getenv("LEDGER_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		response.Body.Close()
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return response.Body, nil
}

func read(path, body string, answer any) {
	reader, err := ask(path, body)
	if err == nil {
		defer reader.Close()
		err = json.NewDecoder(reader).Decode(answer)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func listFailed() {
	var list struct {
		Data []struct {
			MessageSid string `json:"message_sid"`
			To         string
			ErrorCode  int `json:"error_code"`
		}
	}
	read("/v1/messages?status=undelivered&limit=5", "", &list)
	for _, message := range list.Data {
		fmt.Println(message.MessageSid, message.To, message.ErrorCode)
	}
}

// Has the server read the whole log; line was kept from an earlier verification, or is nil.
func verify(line *string) int {
	type Job struct {
		ID, State string
		Error     *string
		Result    struct {
			Head     int
			Hash     string
			Findings []any
		}
	}
	body, _ := json.Marshal(map[string]any{"kind": "verify", "expect": line})
	var job Job
	read("/v1/jobs", string(body), &job)
	for job.State == "waiting" || job.State == "running" {
		time.Sleep(200 * time.Millisecond)
		id := job.ID
		job = Job{}
		read("/v1/jobs/"+id, "", &job)
	}
	if job.State == "failed" {
		log.Fatal("the log could not be verified: ", *job.Error)
	}
	if len(job.Result.Findings) > 0 {
		log.Fatal("the log is not as expected: ", job.Result.Findings)
	}
	fmt.Printf("unchanged: %d:%s\n", job.Result.Head, job.Result.Hash)
	return job.Result.Head
}

// Continues after the last position if the connection ends, so that no event is missed.
func follow(position int) {
	for ; ; time.Sleep(time.Second) {
		stream, err := ask(fmt.Sprintf("/v1/events/stream?after=%d", position), "")
		if err != nil {
			log.Print(err)
			continue
		}
		lines := bufio.NewReader(stream)
		for line, err := lines.ReadString('\n'); err == nil; line, err = lines.ReadString('\n') {
			if data := strings.TrimPrefix(line, "data:"); data != line {
				var event struct {
					Position   int
					MessageSid string `json:"message_sid"`
					Status     string
				}
				if err := json.Unmarshal([]byte(data), &event); err != nil {
					log.Fatal(err)
				}
				position = event.Position
				fmt.Println(event.Position, event.MessageSid, event.Status)
			}
		}
		stream.Close()
	}
}

func main() {
	listFailed()
	var line *string
	if len(os.Args) > 1 {
		line = &os.Args[1]
	}
	follow(verify(line))
}
