"""What the services share: contracts, data, forecasting and the runtime they stand on."""
