"""The OPC UA server: the newest figures of each zone as nodes, for SCADA systems. It needs the extra `opcua`."""
