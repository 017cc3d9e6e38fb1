// Receives status callbacks from Twilio, or from a ledger that forwards them.
//
//	TWILIO_AUTH_TOKEN=… PORT=3000 go run examples/receive/receive.go
//
// It needs no module; RequestValidator of github.com/twilio/twilio-go/client does what isSigned does.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"os"
	"sort"
)

// Twilio signs the URL that it calls, followed by each name and value of the form in the order of the names.
func isSigned(request *http.Request) bool {
	names := []string{}
	for name := range request.PostForm {
		names = append(names, name)
	}
	sort.Strings(names)
	mac := hmac.New(sha1.New, []byte(os.Getenv("TWILIO_AUTH_TOKEN")))
	fmt.Fprint(mac, "http://", request.Host, request.RequestURI)
	for _, name := range names {
		fmt.Fprint(mac, name, request.PostForm.Get(name))
	}
	signature, err := base64.StdEncoding.DecodeString(request.Header.Get("X-Twilio-Signature"))
	return err == nil && hmac.Equal(signature, mac.Sum(nil))
}

func receive(response http.ResponseWriter, request *http.Request) {
	if request.ParseForm() != nil || !isSigned(request) {
		http.Error(response, "the signature is wrong", http.StatusForbidden)
		return
	}
	fmt.Println(request.PostForm.Get("MessageSid"), request.PostForm.Get("MessageStatus"))
	response.WriteHeader(http.StatusNoContent)
}

func main() {
	http.HandleFunc("/twilio/status", receive)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
