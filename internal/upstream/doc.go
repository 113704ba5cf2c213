// Package upstream owns the instances of services and sends an exchange to a good one: it balances, retries, pools
// connections and puts instances aside that keep failing. It is not what finds instances (registry) or probes them
// (health): they tell the Group of a service. Its main type is Service.
package upstream
