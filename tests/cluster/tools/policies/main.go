// policies answers by NetworkPolicies alone who reaches whom. It reads {"policies": [...], "questions": [...]} from standard
// input, policies as Kubernetes has them, and writes an answer for each question in order: true where it is allowed.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// peer is a pod, or with an address alone somebody outside of the cluster.
type peer struct {
	IP              string            `json:"ip"`
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	Labels          map[string]string `json:"labels"`
}

type question struct {
	From     peer          `json:"from"`
	To       peer          `json:"to"`
	Port     int           `json:"port"`
	PortName string        `json:"portName"`
	Protocol core.Protocol `json:"protocol"`
}

type input struct {
	Policies  []*networking.NetworkPolicy `json:"policies"`
	Questions []question                  `json:"questions"`
}

func (p peer) matched() *matcher.TrafficPeer {
	if p.Namespace == "" {
		return &matcher.TrafficPeer{IP: p.IP}
	}
	pod := &matcher.InternalPeer{PodLabels: p.Labels, NamespaceLabels: p.NamespaceLabels, Namespace: p.Namespace}
	return &matcher.TrafficPeer{Internal: pod, IP: p.IP}
}

func answers(asked input) []bool {
	policy := matcher.BuildNetworkPolicies(false, asked.Policies)
	allowed := make([]bool, 0, len(asked.Questions))
	for _, q := range asked.Questions {
		traffic := &matcher.Traffic{
			Source: q.From.matched(), Destination: q.To.matched(),
			ResolvedPort: q.Port, ResolvedPortName: q.PortName, Protocol: q.Protocol,
		}
		allowed = append(allowed, policy.IsTrafficAllowed(traffic).IsAllowed())
	}
	return allowed
}

func run() error {
	var asked input
	read := json.NewDecoder(os.Stdin)
	read.DisallowUnknownFields()
	if err := read.Decode(&asked); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	return json.NewEncoder(os.Stdout).Encode(answers(asked))
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "policies:", err)
		os.Exit(1)
	}
}
