// Command tidewaiter reads container images and judges them.
package main

func main() {}
