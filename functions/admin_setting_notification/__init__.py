"""AdminSettingNotificationExpressJSv1: the switches of the notices."""
