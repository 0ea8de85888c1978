"""AdminSettingStrategyExpressJSv1: strategies and risk profiles."""
