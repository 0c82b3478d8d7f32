// Command podsecurity checks pods as the Pod Security admission of Kubernetes does, with its code. It reads pod templates as
// JSON, one after the other, and prints the violations of the restricted profile. Without output, all pods may run.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "podsecurity:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	for n := 0; ; n++ {
		var pod corev1.PodTemplateSpec
		switch err := decoder.Decode(&pod); {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return err
		}
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
		if !result.Allowed {
			fmt.Fprintln(out, result.ForbiddenDetail())
		}
	}
}
